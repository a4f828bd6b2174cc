"""How much a quantization costs: texts, generated questions, their exact verifiers, and the profile that asks them."""
