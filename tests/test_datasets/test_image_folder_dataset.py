import pytest

from mmpolar.datasets import ImageFolderDataset
from mmpolar.registry import DATASETS

LOADING = [dict(type='LoadImageFromFile'), dict(type='mmdet.LoadAnnotations', with_mask=True)]


@pytest.fixture
def pool(data):
    for path in ('b.jpg', 'a.PNG', 'deep/er/c.webp', 'deep/d.jpeg', 'other/e.bmp'):
        data.image(f'pool/{path}')
    for path in ('notes.txt', 'deep/list.json', '.hidden.jpg'):
        (data.root / 'pool' / path).write_text('no image')
    return data.root / 'pool'


def ids(dataset):
    return [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))]


def test_all_images_below_the_folder_are_listed_in_order(pool):
    dataset = ImageFolderDataset(data_root=pool)
    assert ids(dataset) == ['a.PNG', 'b.jpg', 'deep/d.jpeg', 'deep/er/c.webp', 'other/e.bmp']
    info = dataset.get_data_info(2)
    assert info['img_path'] == str(pool / 'deep/d.jpeg')
    assert info['instances'] == []


def test_several_folders_are_listed_one_after_the_other_and_no_image_twice(pool, data):
    absolute = str(data.image('elsewhere/z.png').parent)
    folders = ['pool/other', 'pool/deep', absolute, 'pool/deep']
    dataset = ImageFolderDataset(data_root=str(data.root), data_prefix=dict(img=folders))
    assert ids(dataset) == [
        'pool/other/e.bmp',
        'pool/deep/d.jpeg',
        'pool/deep/er/c.webp',
        f'{absolute}/z.png',
    ]
    assert dataset.get_data_info(0)['img_path'] == str(pool / 'other/e.bmp')
    assert dataset.get_data_info(3)['img_path'] == f'{absolute}/z.png'


def test_one_folder_of_the_prefix(pool):
    dataset = ImageFolderDataset(data_root=str(pool), data_prefix=dict(img='deep/'))
    assert ids(dataset) == ['deep/d.jpeg', 'deep/er/c.webp']
    assert ids(ImageFolderDataset(data_prefix=dict(img=str(pool / 'other')))) == [
        str(pool / 'other/e.bmp')
    ]


def test_stock_loading_gives_pixels_and_empty_annotations(pool):
    dataset = DATASETS.build(
        dict(
            type='ImageFolderDataset',
            data_root=str(pool),
            pipeline=LOADING,
            metainfo=dict(classes=('knife',)),
        )
    )
    results = dataset[0]
    assert results['img'].shape == (40, 60, 3)
    assert results['gt_bboxes'].tensor.shape == (0, 4)
    assert results['gt_bboxes_labels'].shape == (0,)
    assert len(results['gt_masks']) == 0
    assert dataset.metainfo == dict(classes=('knife',))


def test_subsets_and_lazy_listing_work_as_in_every_dataset(pool):
    dataset = ImageFolderDataset(data_root=str(pool), lazy_init=True, indices=3)
    dataset.full_init()
    assert ids(dataset) == ['a.PNG', 'b.jpg', 'deep/d.jpeg']
    assert ids(dataset.get_subset([2, 0])) == ['deep/d.jpeg', 'a.PNG']


def test_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'image folder "{tmp_path}/none" does not exist'):
        ImageFolderDataset(data_root=str(tmp_path), data_prefix=dict(img='none'))


def test_folder_without_images_is_named(pool):
    empty = pool / 'empty'
    empty.mkdir()
    with pytest.raises(ValueError, match=f'image folder "{empty}" has no image'):
        ImageFolderDataset(data_root=str(pool), data_prefix=dict(img=['deep', 'empty']))
