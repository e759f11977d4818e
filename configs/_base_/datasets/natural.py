# Natural images and videos, your own or ours. Put them, or links to them, into data/natural:
#   images/<set>/annotations.json, images/<set>/images/*.jpg   COCO instances with polygons
#   videos/DAVIS                                               DAVIS layout, masks on all frames
#   videos/boxes/<sequence>/groundtruth.txt, frames/*.jpg      boxes only
#   val/DAVIS                                                  DAVIS layout, for validation
# and name your image sets here, each with its weight. We weigh a set by the square root of its
# number of images, so that large sets do not drown small ones.
_base_ = './ocean_pairs.py'

data_root = 'data/natural/'
image_sets = dict(
    animals7=30,
    bottles=9,
    butterflies=20,
    cars_front_rear=11,
    coco_mini=16,
    coco_multi=17,
    coco_person=20,
    dog_cat=9,
    firetrucks=10,
    food_indian=8,
    food_plates=7,
    human_seg=17,
    mugs=8,
    pallets=10,
    pets37=19,
    strawberry_plants=7,
    tools=8,
    vehicles_road=6,
    voc2007_44=7)
image_share, video_share, box_share = 0.6, 0.3, 0.1

datasets = [
    dict(type='CocoTrackDataset', data_root=data_root + 'images/' + name, min_area=400)
    for name in image_sets
] + [
    dict(type='DavisDataset', data_root=data_root + 'videos/DAVIS', min_area=400),
    dict(type='BoxTrackDataset', data_root=data_root + 'videos/boxes'),
]
quotas = [image_share * weight / sum(image_sets.values()) for weight in image_sets.values()]
quotas += [video_share, box_share]

train_dataloader = dict(
    num_workers=2,
    dataset=dict(samples_per_epoch=4000, frame_range=50, datasets=datasets, quotas=quotas))
val_dataloader = dict(dataset=dict(type='DavisDataset', data_root=data_root + 'val/DAVIS'))
test_dataloader = val_dataloader
