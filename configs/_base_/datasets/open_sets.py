# Data whose terms are stated, in the layout of natural.py; docs/model_zoo.md has all of them:
#   COCO                 annotations CC BY 4.0; the photographs are under their Flickr terms
#   DAVIS's videos       CC BY 4.0 by their README but those from YouTube, which are left out
#   generated videos     made by this package, on photographs inside scikit-image, scikit-learn and
#                        matplotlib
open_root = 'data/natural/'

# As in natural_sets.py, the weight of a set is the square root of its number of images.
open_image_sets = dict(coco_mini=16, coco_multi=17, coco_person=20, coco_val_person1=18)
open_davis_videos = [
    'bear', 'bmx-bumps', 'boat', 'car-turn', 'dance-jump', 'elephant', 'hockey', 'mallard-water',
    'motorbike', 'paragliding', 'rollerblade', 'stroller', 'surf', 'swing', 'train'
]
open_image_share, open_davis_share, open_generated_share = 0.6, 0.25, 0.15

open_sets = dict(
    datasets=[
        dict(type='CocoTrackDataset', data_root=open_root + 'images/' + name, min_area=400)
        for name in open_image_sets
    ] + [
        dict(
            type='DavisDataset',
            data_root=open_root + 'videos/DAVIS',
            sequences=open_davis_videos,
            min_area=400),
        dict(
            type='SyntheticDataset',
            data_root='data/synthetic-open',
            num_train=96,
            difficulty=0.7,
            min_area=400),
    ],
    quotas=[
        open_image_share * weight / sum(open_image_sets.values())
        for weight in open_image_sets.values()
    ] + [open_davis_share, open_generated_share])
