# OTB-100, to test on. Put the folders of the sequences into data/otb100. See docs/datasets.md.
_base_ = './ocean_pairs.py'

val_dataloader = dict(
    dataset=dict(type='OTBDataset', data_root='data/otb100', index_cache=True))
test_dataloader = val_dataloader
