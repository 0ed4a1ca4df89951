"""Files to nouns and back; frames of videos."""
