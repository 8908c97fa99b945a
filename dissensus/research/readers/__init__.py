"""Reading files as documents: text, Markdown, PDF, tables and HTML, each in passages with their places."""
