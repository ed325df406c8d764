"""A task of images for tests and measurements that have no data."""

from cellwright.tasks.images.task import ImageClassification


def numbered_images(
    map_shape: tuple[int, int, int], num_classes: int, *, mean: float = 0.0, std: float = 1.0
) -> ImageClassification:
    """Return the classification of images into classes called 0, 1, and so on.

    Args:
        map_shape: channels, height and width.
        num_classes: how many there are.
        mean: of the raw pixels, in every channel.
        std: as `mean`.
    """
    channels = map_shape[0]
    return ImageClassification(
        map_shape=map_shape,
        class_names=tuple(map(str, range(num_classes))),
        mean=(mean,) * channels,
        std=(std,) * channels,
    )
