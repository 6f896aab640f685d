"""Problems as text, as JSON, and the page behind each code."""
