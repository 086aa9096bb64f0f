// A program for Node. Every request takes 50 ms. `exit`: it has no handler of SIGTERM, as most; `finish`: it answers what it
// has, and ends then.
const http = require("node:http");

const server = http.createServer((request, response) => {
  const work = request.url === "/healthz" ? 0 : 50;
  setTimeout(() => {
    response.setHeader("X-Version", process.env.VERSION);
    response.end("ok\n");
  }, work);
});
server.listen(Number(process.env.PORT), process.env.HOST);
if (process.argv[2] === "finish") {
  process.on("SIGTERM", () => server.close(() => process.exit(0)));
}
