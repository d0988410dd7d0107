// Receives Vacancy's webhooks: PORT=3000 APP_SECRET=… go run receiver.go
// With WEBHOOK_SECRET=whsec_… (one of the endpoint's `secrets`) it asks for that signature too.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance = 300 * time.Second
	idsKept   = 1000
)

type event struct {
	Name    string
	Channel string
	UserID  string `json:"user_id"`
	Seq     uint64 // 0 when the endpoint has no `extras`, and in events that carry no state
}

type receiver struct {
	appSecret     []byte
	webhookSecret []byte // nil: not asked for

	// A real back end keeps these with its data, and writes them in one transaction with what it does.
	mutex sync.Mutex
	ids   []string
	seqs  map[[2]string]uint64
}

func sign(secret []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, secret)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

func (r *receiver) isGenuine(header http.Header, body []byte) bool {
	pusher, err := hex.DecodeString(header.Get("X-Pusher-Signature"))
	if err != nil || !hmac.Equal(pusher, sign(r.appSecret, body)) {
		return false
	}
	if r.webhookSecret == nil {
		return true
	}
	id, stamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	age := time.Since(time.Unix(seconds, 0))
	if err != nil || age < -tolerance || tolerance < age {
		return false
	}
	standard := sign(r.webhookSecret, []byte(id+"."+stamp+"."), body)
	wanted := []byte("v1," + base64.StdEncoding.EncodeToString(standard))
	for _, given := range strings.Split(header.Get("Webhook-Signature"), " ") {
		if hmac.Equal([]byte(given), wanted) {
			return true
		}
	}
	return false
}

func (r *receiver) handle(e event) {
	if e.Seq != 0 {
		// A channel, a user in a channel, or a user: what is not newer than what we know is ignored.
		key := [2]string{e.Channel, e.UserID}
		if e.Seq <= r.seqs[key] {
			return
		}
		r.seqs[key] = e.Seq
	}
	line := "verified " + e.Name
	for _, word := range []string{e.Channel, e.UserID} {
		if word != "" {
			line += " " + word
		}
	}
	fmt.Println(line)
}

func (r *receiver) isKnown(id string) bool {
	for _, known := range r.ids {
		if known == id {
			return true
		}
	}
	return false
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil || !r.isGenuine(request.Header, body) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var message struct{ Events []event }
	if err := json.Unmarshal(body, &message); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	id := request.Header.Get("Webhook-Id")
	if r.isKnown(id) {
		return
	}
	for _, e := range message.Events {
		r.handle(e)
	}
	r.ids = append(r.ids, id)
	if idsKept < len(r.ids) {
		r.ids = r.ids[1:]
	}
}

func env(name, without string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return without
}

func main() {
	r := &receiver{appSecret: []byte(env("APP_SECRET", "app-secret")), seqs: map[[2]string]uint64{}}
	if secret := os.Getenv("WEBHOOK_SECRET"); secret != "" {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			log.Fatal("WEBHOOK_SECRET is not whsec_ and base64")
		}
		r.webhookSecret = key
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+env("PORT", "3000"), r))
}
