# A short-term set of the VOT challenge, to test on: rectangles, polygons or masks, whatever is in
# the files. Put the sequences and list.txt, as the toolkit downloads them, into data/vot. See
# docs/datasets.md.
_base_ = './ocean_pairs.py'

val_dataloader = dict(dataset=dict(type='VOTDataset', data_root='data/vot', index_cache=True))
test_dataloader = val_dataloader
