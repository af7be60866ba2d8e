/** An EasyRTC application as OpenTera's pages are one: the unmodified library, told nothing but the socket's path. */
/* global easyrtc, getTeraPlusPort */
window.told = { heard: [], occupants: {}, lost: 0 };
easyrtc.enableDebug(false);
easyrtc.setSocketUrl(location.origin, { path: `/websocket/${getTeraPlusPort()}` });
easyrtc.setPeerListener((from, type, data) => told.heard.push([from, type, data]));
easyrtc.setRoomOccupantListener((room, occupants) => (told.occupants[room] = Object.keys(occupants)));
easyrtc.setDisconnectListener(() => (told.lost += 1));
easyrtc.setStreamAcceptor((peer, stream) => {
  const video = document.createElement('video');
  Object.assign(video, { id: peer, muted: true, autoplay: true });
  document.body.append(video);
  easyrtc.setVideoObjectSrc(video, stream);
});
easyrtc.setOnStreamClosed((peer) => document.getElementById(peer)?.remove());

const settled = (start) => new Promise((done, fail) => start(done, (...why) => fail(new Error(JSON.stringify(why)))));

/** What the test asks of the page; each is the library's own function. */
window.page = {
  connect: () => settled((done, fail) => easyrtc.connect('OpenTera', done, fail)),
  media: () => settled((done, fail) => easyrtc.initMediaSource(() => done(), fail)),
  call: (peer) => settled((done, fail) => easyrtc.call(peer, (id, kind) => kind === 'connection' && done(id), fail)),
  say: (to, type, data) => new Promise((done) => easyrtc.sendDataWS(to, type, data, done)),
  ask: (type, data) => settled((done, fail) => easyrtc.sendServerMessage(type, data, (...got) => done(got), fail)),
  join: (room) => settled((done, fail) => easyrtc.joinRoom(room, null, done, fail)),
  leave: (room) => settled((done, fail) => easyrtc.leaveRoom(room, done, fail)),
  rooms: () => settled((done, fail) => easyrtc.getRoomList((list) => done(Object.keys(list).sort()), fail)),
  iceServers: () => settled((done, fail) => easyrtc.getFreshIceConfig((good) => (good ? done(easyrtc.getServerIce().iceServers) : fail('no')))),
};
