"""What runs in the child: drivers carry an admitted step out."""
