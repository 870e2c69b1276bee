-- The demo's tables; demo.sh fills them with COPY.

CREATE EXTENSION vecidx;

CREATE TABLE words
(
	id        int PRIMARY KEY,
	lemma     text,
	gloss     text,
	category  text,
	senses    int,
	embedding real[]
);

-- Texts to search for: 40 for people, and 300 entries that are not in words,
-- to measure recall with.
CREATE TABLE demo_queries
(
	text      text PRIMARY KEY,
	kind      text,
	embedding real[]
);
