\restrict k
SET standard_conforming_strings = on;
COPY t (a) FROM stdin;
x
\.
SELECT E'\'', $a$ $b$ $a$, "q" /* c /* d */ */ -- e
, a::b, a[1:2];
\unrestrict k
