"""Texts that a sentence encoder may be given, odd ones among them."""

TEXTS = [
    "beach",
    "black and white",
    "A dog RUNS along the beach!",
    "  spaces\taround\n",
    "Zürich, São Paulo, 東京",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "emoji 🏖️ and a number 3.14159",
    "a man in a red shirt climbs a rock " * 50,  # 450 tokens, of which 256 are read
]
