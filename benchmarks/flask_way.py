"""How many a project serves its network: Flask, an upload that is saved, and `model.predict`. `load.py` starts it.

python benchmarks/flask_way.py MODEL.keras SIZE PORT
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from flask import Flask, jsonify, request
from werkzeug.utils import secure_filename


def main() -> None:
    """Serve."""
    file, size, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    application, folder = Flask(__name__), Path(tempfile.mkdtemp())
    model = keras.models.load_model(file)

    @application.post("/predict")
    def predict():
        sent = request.files["file"]
        path = folder / secure_filename(sent.filename)
        sent.save(path)
        picture = keras.utils.img_to_array(keras.utils.load_img(path, target_size=(size, size)))
        shares = model.predict(np.expand_dims(picture, 0))[0]
        return jsonify({"label": int(shares.argmax()), "probability": float(shares.max())})

    application.run(port=port)


if __name__ == "__main__":
    main()
