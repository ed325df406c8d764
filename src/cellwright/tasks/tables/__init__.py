"""Tables: rows of numbers, categories and dates, of which a class or a number is predicted."""
