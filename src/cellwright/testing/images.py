"""An image task for tests and benchmarks without data."""

from cellwright.tasks.images.task import ImageClassification


def numbered_images(
    map_shape: tuple[int, int, int], num_classes: int, *, mean: float = 0.0, std: float = 1.0
) -> ImageClassification:
    """Return an image classification with classes 0, 1, and so on.

    Args:
        map_shape: channels, height and width.
        num_classes: number of classes.
        mean: mean of the raw pixels in every channel.
        std: standard deviation of the raw pixels in every channel.
    """
    channels = map_shape[0]
    return ImageClassification(
        map_shape=map_shape,
        class_names=tuple(map(str, range(num_classes))),
        mean=(mean,) * channels,
        std=(std,) * channels,
    )
