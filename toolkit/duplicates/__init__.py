"""Which pictures are the same: a search by perceptual hash, and a second look at the pixels."""
