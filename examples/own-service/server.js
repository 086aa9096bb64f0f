// A program for Node. Every request takes 50 ms. `exit`: it has no handler of SIGTERM, as most; `finish`: it answers what it
// has, and ends then. Without `Connection: close` it would not end while a balancer goes on using its connections.
const http = require("node:http");

let ending = false;
const server = http.createServer((request, response) => {
  const work = request.url === "/healthz" ? 0 : 50;
  setTimeout(() => {
    response.setHeader("X-Version", process.env.VERSION);
    if (ending) response.setHeader("Connection", "close");
    response.end("ok\n");
  }, work);
});
server.listen(Number(process.env.PORT), process.env.HOST);
if (process.argv[2] === "finish") {
  process.on("SIGTERM", () => {
    ending = true;
    server.close(() => process.exit(0));
  });
}
