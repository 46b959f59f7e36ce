COPY t FROM stdin;
abc
