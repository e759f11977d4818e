# What the packaged trackers were trained on, in data/natural. A config of yours names its own data
# instead of this file.
#   images/<set>/annotations.json, images/<set>/images/*.jpg   COCO instances with polygons
#   videos/DAVIS                                               DAVIS layout, masks on all frames
#   videos/boxes/<sequence>/groundtruth.txt, frames/*.jpg      boxes only
sets_root = 'data/natural/'

# The weight of a set is the square root of its number of images: large sets do not drown small ones.
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

natural_sets = dict(
    datasets=[
        dict(type='CocoTrackDataset', data_root=sets_root + 'images/' + name, min_area=400)
        for name in image_sets
    ] + [
        dict(type='DavisDataset', data_root=sets_root + 'videos/DAVIS', min_area=400),
        dict(type='BoxTrackDataset', data_root=sets_root + 'videos/boxes'),
    ],
    quotas=[
        image_share * weight / sum(image_sets.values()) for weight in image_sets.values()
    ] + [video_share, box_share])
