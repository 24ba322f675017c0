// Submits a task and waits for its end: submit TYPE [PAYLOAD]. Needs Go 1.19 and nothing else.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

var (
	api    = setting("FAIRLANE_URL", "http://127.0.0.1:3000")
	queue  = setting("FAIRLANE_QUEUE", "examples")
	client = http.Client{Timeout: 40 * time.Second}
)

type task struct {
	ID    string
	State string
}

func (t task) ended() bool {
	return t.State == "completed" || t.State == "failed" || t.State == "cancelled" || t.State == "expired"
}

// Sends the same request until it is answered.
func call(method, path, body string, headers map[string]string) (t task, text []byte) {
	for {
		request, err := http.NewRequest(method, api+path, strings.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		if key := os.Getenv("FAIRLANE_API_KEY"); key != "" {
			request.Header.Set("Authorization", "Bearer "+key)
		}
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		pause := time.Second
		if response, err := client.Do(request); err == nil {
			text, err = io.ReadAll(response.Body)
			response.Body.Close()
			switch status := response.StatusCode; {
			case err != nil:
			case status < 300:
				if err := json.Unmarshal(text, &t); err != nil {
					log.Fatal(err)
				}
				return t, text
			case status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
				log.Fatal(string(text))
			}
			if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
				pause = time.Duration(seconds) * time.Second
			}
		}
		time.Sleep(pause)
	}
}

func main() {
	payload := json.RawMessage("null")
	if len(os.Args) > 2 {
		payload = json.RawMessage(os.Args[2])
	}
	body, err := json.Marshal(map[string]any{"type": os.Args[1], "queue": queue, "payload": payload})
	if err != nil {
		log.Fatal(err)
	}
	t, text := call("POST", "/v1/tasks", string(body), map[string]string{
		"Content-Type": "application/json",
		// With its key the submission makes one task, however often it is sent.
		"Idempotency-Key": setting("IDEMPOTENCY_KEY", random()),
		"Prefer":          "wait=10",
	})
	for !t.ended() {
		t, text = call("GET", "/v1/tasks/"+url.PathEscape(t.ID)+"?wait=30", "", nil)
	}
	fmt.Println(string(text))
	if t.State != "completed" {
		os.Exit(1)
	}
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func random() string {
	bytes := make([]byte, 16)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return hex.EncodeToString(bytes)
}
