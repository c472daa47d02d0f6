package main

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// sockets serves at the path of Vigil's socket.
func sockets(serve http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/ws", serve)
	return mux
}

func anyOrigin(*http.Request) bool { return true }

var defaults = websocket.Upgrader{CheckOrigin: anyOrigin}

func plain(w http.ResponseWriter, r *http.Request) {
	ws, err := defaults.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	sendBack(ws)
}

var small = websocket.Upgrader{CheckOrigin: anyOrigin, ReadBufferSize: 288, WriteBufferSize: 512, WriteBufferPool: new(sync.Pool)}

func tuned(w http.ResponseWriter, r *http.Request) {
	ws, err := small.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	go sendBack(ws) // net/http keeps its buffers for as long as the handler has not returned
}

func sendBack(ws *websocket.Conn) {
	defer func() { _ = ws.Close() }()
	for {
		kind, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		if err := ws.WriteMessage(kind, data); err != nil {
			return
		}
	}
}
