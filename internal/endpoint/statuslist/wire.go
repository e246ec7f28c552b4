package statuslist

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/status"
)

const (
	// sendTimeout is how long one message may take to leave.
	sendTimeout = 10 * time.Second
	// sendBuffer is how much the kernel keeps for one who does not read: some
	// minutes of messages, and not megabytes for each of thousands.
	sendBuffer = 64 << 10
)

// detach takes the connection away from net/http, which keeps buffers and
// goroutines for each: a listener hears little and waits long, and there are
// thousands. The request is over with it, and is logged as answered.
func detach(c echo.Context, l *status.Listener) error {
	response := c.Response()
	conn, _, err := http.NewResponseController(response.Writer).Hijack()
	if errors.Is(err, http.ErrNotSupported) { // a test's recorder, or a wrapper of somebody's
		return remain(c, l)
	}
	if err != nil {
		l.Leave()
		return err
	}
	response.Status, response.Committed = http.StatusOK, true
	limitBuffer(conn)
	l.Detach(&connection{Conn: conn, head: head(response.Header())})
	return nil
}

// limitBuffer is a wish: where the kernel has other ideas, it has other limits.
func limitBuffer(conn net.Conn) {
	if inner, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = inner.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
}

// head is the beginning of the answer (RFC 9112 §4). It has no length and is not
// chunked: it ends with the connection (§6.3).
func head(header http.Header) []byte {
	header.Set("Connection", "close")
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	_ = header.Write(&b) // to memory
	b.WriteString("\r\n")
	return b.Bytes()
}

// connection is a detached one. It sends the head with the first message.
type connection struct {
	net.Conn
	head []byte
}

func (w *connection) Send(frame []byte) error {
	if err := w.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	if w.head != nil {
		frame, w.head = append(w.head, frame...), nil
	}
	_, err := w.Write(frame)
	return err
}

// remain serves from the handler: an HTTP/2 stream can't leave its connection.
func remain(c echo.Context, l *status.Listener) error {
	w := &response{c.Response(), http.NewResponseController(c.Response().Writer)}
	c.Response().WriteHeader(http.StatusOK)
	l.Serve(c.Request().Context(), w)
	return nil
}

// response is one that streams.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Send lifts the server's deadline, which is for whole answers, as well.
func (w *response) Send(frame []byte) error {
	err := w.control.SetWriteDeadline(time.Now().Add(sendTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := w.Write(frame); err != nil {
		return err
	}
	return w.control.Flush()
}

// Close leaves the connection to its server, which ends the stream.
func (w *response) Close() error { return nil }
