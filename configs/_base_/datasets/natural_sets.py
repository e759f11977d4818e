# What the packaged trackers were trained on, in data/natural. A config of yours names its own data
# instead of this file.
#   images/<set>/annotations.json, images/<set>/images/*.jpg   COCO instances with polygons or RLE
#   videos/DAVIS                                               DAVIS layout, masks on all frames
#   videos/DAVIS-multi                                         the same, several targets a video
#   videos/boxes/<sequence>/groundtruth.txt, frames/*.jpg      boxes only
sets_root = 'data/natural/'

# Sets are weighed by the quality of their masks and by how varied they are, not by their number of
# images.
image_sets = dict(
    voc_sbd=16, ecssd=16, animals7=8, coco_multi=5, coco_mini=5, coco_person=5, coco_val_person1=4,
    human_seg=4, weizmann_horses=3, butterflies=3, pets37=3, ccp_person=3, firetrucks=2, dog_cat=2,
    msrc_cows=1.5, voc2007_44=1, cars_front_rear=1.5, bottles=1, mugs=1, tools=1, pallets=0.7,
    food_indian=0.5, food_plates=0.5, strawberry_plants=0.5, vehicles_road=0.7, vsb_stills=0.7,
    dutomron18=0.5)
# Targets of two parts that touch, a rider with the horse: what is in the box is the target.
pair_sets = dict(voc_sbd=12)
# Shares in any unit; the mask stage trains without those that have boxes only.
image_share, davis_share, multi_share, box_share = 0.58, 0.39, 0.03, 0.07

masked_sets = [
    dict(type='CocoTrackDataset', data_root=sets_root + 'images/' + name, min_area=300)
    for name in image_sets
] + [
    dict(
        type='CocoTrackDataset',
        data_root=sets_root + 'images/' + name,
        touching_pairs=True,
        min_area=300) for name in pair_sets
] + [
    dict(type='DavisDataset', data_root=sets_root + 'videos/DAVIS', min_area=300),
    dict(
        type='DavisDataset',
        data_root=sets_root + 'videos/DAVIS-multi',
        multi_object=True,
        late_objects=False,
        min_area=300),
]
image_weights = [*image_sets.values(), *pair_sets.values()]
masked_quotas = [
    image_share * weight / sum(image_weights) for weight in image_weights
] + [davis_share, multi_share]
natural_sets = dict(
    datasets=masked_sets +
    [dict(type='BoxTrackDataset', data_root=sets_root + 'videos/boxes')],
    quotas=masked_quotas + [box_share])
