"""Training of the classifiers: ``make train`` rebuilds the weights that the package carries, bit for bit."""
