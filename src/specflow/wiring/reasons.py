"""Words in reasons to leave tensors out about which something may be done."""

LORA = "LoRA"
ADAPTER = "adapter: no weight matrix"
QUANTIZED = "quantized"
NO_ENTRIES = "no entries"
NOT_INCLUDED = "not in include"
EXCLUDED = "in exclude"
