UPDATE assignments SET skip_note = 'Too dark to tell.' WHERE state = 'skipped';
