-- Requests and dropped ones for each second of the load. First: SET VARIABLE cell = 'results/…/cells/nginx.without-drain.1';
WITH origin AS (
  SELECT max(origin) AS t0
  FROM read_json(getvariable('cell') || '/history.ndjson', format = 'newline_delimited',
                 columns = {event: 'VARCHAR', origin: 'BIGINT'})
  WHERE event = 'scheduled'
), requests AS (
  SELECT due - t0 AS due,
         coalesce((outcome ->> '$.answered.status')::INT BETWEEN 200 AND 299
                  AND outcome ->> '$.answered.body' <> 'mismatch', false) AS ok
  FROM read_json(getvariable('cell') || '/requests.ndjson.zst', format = 'newline_delimited',
                 columns = {due: 'BIGINT', outcome: 'JSON'}), origin
)
SELECT due // 1000000000 AS second, count(*) AS requests, count(*) FILTER (NOT ok) AS dropped
FROM requests
WHERE due >= 0          -- what was due before that is the warm-up
GROUP BY second
ORDER BY second;
