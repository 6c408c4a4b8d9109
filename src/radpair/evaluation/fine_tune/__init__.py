"""Fine-tuning of an image encoder within a label budget, and the classifier that comes of it."""
