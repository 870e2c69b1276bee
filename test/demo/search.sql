-- A few searches that a person can judge.

PREPARE nearest(text) AS
	SELECT lemma, gloss FROM words
	ORDER BY embedding <=> (SELECT embedding FROM demo_queries WHERE text = $1)
	LIMIT 5;

PREPARE nearest_within(text, text) AS
	SELECT lemma, gloss FROM words
	WHERE category = $2
	ORDER BY embedding <=> (SELECT embedding FROM demo_queries WHERE text = $1)
	LIMIT 5;

\echo 'SELECT lemma, gloss FROM words'
\echo 'ORDER BY embedding <=> (SELECT embedding FROM demo_queries WHERE text = ...) LIMIT 5;\n'

\pset title 'feeling sad about the past'
EXECUTE nearest('feeling sad about the past');

\pset title 'water falling from the sky'
EXECUTE nearest('water falling from the sky');

\pset title 'a tool to cut wood'
EXECUTE nearest('a tool to cut wood');

\pset title 'a tool to cut wood, WHERE category = ''noun.artifact'''
EXECUTE nearest_within('a tool to cut wood', 'noun.artifact');
