"""What both ends must agree on, meaning included: messages, topics, encoding, signatures, delivery."""
