"""From what a person wrote to what shall be done: pure, with every user error found and located."""
