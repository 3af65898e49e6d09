"""`make chaos PART=producers`: what befalls a producer, and a count of the frames over it."""
