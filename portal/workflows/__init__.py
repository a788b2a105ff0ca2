"""Named steps run in the background on a contact."""
