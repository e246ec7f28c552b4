package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// assets are the files that pages refer to, by the path under which each is
// served. The path holds a digest of the content, so a copy is good for ever.
type assets struct {
	byPath      map[string]asset
	style, icon string // paths
}

type asset struct {
	contentType   string
	digest        string
	plain, zipped []byte
}

func loadAssets(files fs.FS, prefix string) (assets, error) {
	a := assets{byPath: map[string]asset{}}
	var err error
	if a.style, err = a.add(files, prefix, "signet.css", "text/css; charset=utf-8"); err != nil {
		return assets{}, err
	}
	if a.icon, err = a.add(files, prefix, "favicon.svg", "image/svg+xml"); err != nil {
		return assets{}, err
	}
	return a, nil
}

func (a *assets) add(files fs.FS, prefix, name, contentType string) (string, error) {
	plain, err := fs.ReadFile(files, name)
	if err != nil {
		return "", fmt.Errorf("reading asset: %w", err)
	}
	zipped, err := zip(plain)
	if err != nil {
		return "", fmt.Errorf("compressing %s: %w", name, err)
	}
	sum := sha256.Sum256(plain)
	digest := hex.EncodeToString(sum[:8])
	ext := path.Ext(name)
	at := prefix + strings.TrimSuffix(name, ext) + "-" + digest + ext
	a.byPath[at] = asset{contentType: contentType, digest: digest, plain: plain, zipped: zipped}
	return at, nil
}

func zip(plain []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Assets serves the style sheet and the icon. It expects the whole path, so
// mount it at {Base}/assets/ without stripping anything.
func (p *Pages) Assets() http.Handler { return p.assets }

// ServeHTTP answers with an asset, compressed if the browser takes gzip.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	file, ok := a.byPath[r.URL.Path]
	if !ok {
		// Not for ever: during a rolling update the next node may have it.
		h.Set("Cache-Control", "no-store")
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	h.Set("Content-Type", file.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// The icon is an SVG: opened by itself it must stay a picture.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Vary", "Accept-Encoding")
	body, tag := file.plain, `"`+file.digest+`"`
	if takesGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body, tag = file.zipped, `"`+file.digest+`-gzip"` // a strong tag names bytes (RFC 9110 §8.8.1)
	}
	h.Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// takesGzip reads Accept-Encoding (RFC 9110 §12.5.3): gzip, x-gzip or * with a
// weight above zero. gzip by name wins over the star.
func takesGzip(values []string) bool {
	star := false
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q="); ok {
			weight, _ = strconv.ParseFloat(q, 64) // nonsense counts as zero: plain is always right
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return weight > 0
		case "*":
			star = weight > 0
		}
	}
	return star
}
