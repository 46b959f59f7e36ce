SELECT '\';
\! id
