"""Whether a candidate may take its baseline's place: measured on this device, judged by what an operator would lose."""
