"""What pretrained backbones want: how their pixels are scaled, and how many of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Application:
    """A backbone that Keras knows, and whose weights it can download; or one that is drawn here.

    Args:
        function: its name in `keras.applications`.
        pixels: how it was shown pictures when it learned: "-1 to 1"; "standardized", mean 0 and deviation 1 by colour;
            "bgr", the colours in reverse and less their means; or "0 to 255".
        size: side of the pictures in pixels it is usually given.
        smallest: least side in pixels it works with.
        module: of this package, with a function `backbone` that takes its name here, a size and weights, and scales the
            pixels itself; "" for a backbone of Keras.
        edition, middle: see `registry.Network`.
    """

    function: str
    pixels: str
    size: int
    smallest: int = 32
    module: str = ""
    edition: str = ""
    middle: int = 0


_KINDS = (
    ("-1 to 1", 224, "MobileNet MobileNetV2 NASNetMobile ResNet50V2 ResNet101V2 ResNet152V2 Xception"),
    ("-1 to 1", 299, "InceptionResNetV2 InceptionV3"),
    ("-1 to 1", 331, "NASNetLarge"),
    ("bgr", 224, "ResNet50 ResNet101 ResNet152 VGG16 VGG19"),
    ("standardized", 224, "DenseNet121 DenseNet169 DenseNet201"),
    ("0 to 255", 224, "ConvNeXtTiny ConvNeXtSmall ConvNeXtBase ConvNeXtLarge ConvNeXtXLarge"),
    ("0 to 255", 224, "EfficientNetB0 EfficientNetV2B0 MobileNetV3Small MobileNetV3Large"),
    ("0 to 255", 240, "EfficientNetB1 EfficientNetV2B1"),
    ("0 to 255", 260, "EfficientNetB2 EfficientNetV2B2"),
    ("0 to 255", 300, "EfficientNetB3 EfficientNetV2B3"),
    ("0 to 255", 380, "EfficientNetB4"),
    ("0 to 255", 384, "EfficientNetV2S"),
    ("0 to 255", 456, "EfficientNetB5"),
    ("0 to 255", 480, "EfficientNetV2M EfficientNetV2L"),
    ("0 to 255", 528, "EfficientNetB6"),
    ("0 to 255", 600, "EfficientNetB7"),
)
_SMALLEST = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}

APPLICATIONS = {
    function.lower(): Application(function, pixels, size, _SMALLEST.get(function, 32))
    for pixels, size, functions in _KINDS
    for function in functions.split()
}
APPLICATIONS |= {
    f"efficientnet_lite{number}": Application(
        f"EfficientNetLite{number}",
        "0 to 255",
        size,
        module="efficientnet_lite",
        edition="with the middle",
        middle=1280,
    )
    for number, size in enumerate((224, 240, 260))
}
