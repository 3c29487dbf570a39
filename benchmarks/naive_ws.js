// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The naive multichat server on node's ws package: node naive_ws.js PORT
"use strict";
const { WebSocket, WebSocketServer } = require("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: false,
});

server.on("connection", (client) => {
  client.on("message", (data) => {
    const packet = JSON.parse(data);
    if (packet.action === "register") {
      client.chatName = packet["client-name"];
      client.send('{"action":"register-ack"}');
      return;
    }
    const message = JSON.stringify({
      action: "forwarding-message",
      "source-client-name": client.chatName,
      content: packet.content,
    });
    for (const other of server.clients) {
      if (other !== client && other.readyState === WebSocket.OPEN) {
        other.send(message);
      }
    }
  });
});
