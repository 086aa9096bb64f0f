-- What each backend received and finished. First: SET VARIABLE cell = 'results/…/cells/nginx.without-drain.1';
SELECT "by" AS backend, count(*) AS received, count(finished) AS finished
FROM read_json(getvariable('cell') || '/ledger.ndjson.zst', format = 'newline_delimited',
               columns = {'by': 'VARCHAR', 'finished': 'BIGINT'})
GROUP BY backend
ORDER BY backend;
