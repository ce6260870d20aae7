"""The pages for people: a photo's tags, the rankings side by side, search."""
