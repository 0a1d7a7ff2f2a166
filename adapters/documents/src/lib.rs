//! Documents in: Markdown, HTML, PDF, DOCX and plain text, cut into passages.
