// The relay of the benches on Bun's own WebSocket server, which is uWebSockets: a room is a topic that its members are
// subscribed to. Prints the port that it listens on.
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    if (server.upgrade(request, { data: { topic: '' } })) return undefined;
    return new Response('a WebSocket is spoken here\n', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    message(socket, text) {
      const packet = JSON.parse(text);
      if (packet.Header.Event === 'connect') {
        socket.data.topic = packet.Header.RoomId;
        socket.subscribe(socket.data.topic);
        packet.Payload = 'false';
        const notice = JSON.stringify(packet);
        socket.send(notice);
        socket.publish(socket.data.topic, notice);
      } else {
        socket.publish(socket.data.topic, text);
      }
    },
  },
});
console.log(server.port);
