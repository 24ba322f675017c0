// Executes the tasks of one queue, several at a time. Needs Go 1.19 and nothing else.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	api    = setting("FAIRLANE_URL", "http://127.0.0.1:3000")
	apiKey = setting("FAIRLANE_API_KEY", "")
	queue  = setting("FAIRLANE_QUEUE", "examples")
	slots  = number("FAIRLANE_SLOTS", "4")
	grace  = seconds("FAIRLANE_GRACE_SECONDS", "20")
	// Leases hold for 30 seconds, so that some beats may get lost.
	beatEvery = seconds("FAIRLANE_BEAT_SECONDS", "5")
	workerID  = hostname() + "-" + strconv.Itoa(os.Getpid()) + "-" + random(4)
)

// What handlers return where trying again would not help.
type permanent struct{ code, message string }

func (e permanent) Error() string { return e.message }

type handler func(ctx context.Context, a *attempt) (any, error)

var handlers = map[string]handler{
	"text.count": func(_ context.Context, a *attempt) (any, error) {
		var payload struct{ Text string }
		if err := json.Unmarshal(a.Payload, &payload); err != nil {
			return nil, permanent{"bad-payload", err.Error()}
		}
		return map[string]int{"words": len(strings.Fields(payload.Text))}, nil
	},
	"sleep": func(ctx context.Context, a *attempt) (any, error) {
		var payload struct{ Ms int }
		if err := json.Unmarshal(a.Payload, &payload); err != nil {
			return nil, permanent{"bad-payload", err.Error()}
		}
		a.report(map[string]int{"percent": 0}, fmt.Sprintf("sleeping for %d ms", payload.Ms))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(payload.Ms) * time.Millisecond):
			return nil, nil
		}
	},
	"flaky": func(_ context.Context, a *attempt) (any, error) {
		var payload struct{ Failures int }
		if err := json.Unmarshal(a.Payload, &payload); err != nil {
			return nil, permanent{"bad-payload", err.Error()}
		}
		if a.Failures < payload.Failures {
			return nil, errors.New("not yet")
		}
		return map[string]int{"attempt": a.Attempt}, nil
	},
}

// A leased task, until it is settled.
type attempt struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	Payload    json.RawMessage `json:"payload"`
	Attempt    int             `json:"attempt"`
	Failures   int             `json:"failures"`
	TimeoutMs  int64           `json:"timeoutMs"`
	LeaseToken string          `json:"leaseToken"`

	cancel   context.CancelFunc
	mutex    sync.Mutex
	reason   string // why it was stopped: lease-lost, cancelled or timeout
	progress any
	lines    []string
}

func (a *attempt) report(progress any, line string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.progress, a.lines = progress, append(a.lines, line)
}

func (a *attempt) stop(reason string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.reason == "" {
		a.reason = reason
	}
	a.cancel()
}

func (a *attempt) stoppedBy() string {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.reason
}

type object = map[string]any

// What every message about the attempt says, with the lines since the last one.
func (a *attempt) message(fields object) object {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	message := object{"id": a.ID, "leaseToken": a.LeaseToken, "logs": append([]string{}, a.lines...)}
	a.lines = nil
	for name, value := range fields {
		message[name] = value
	}
	return message
}

// The API says no, and would say it again.
type refused struct{ text string }

func (e refused) Error() string { return e.text }

// One try. The error is a `refused`, or any other where nobody knows what happened.
func send(ctx context.Context, timeout time.Duration, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	data, err := json.Marshal(body)
	if err != nil {
		return refused{err.Error()}
	}
	request, err := http.NewRequestWithContext(ctx, method, api+path, bytes.NewReader(data))
	if err != nil {
		return refused{err.Error()}
	}
	request.Header.Set("Content-Type", "application/json")
	if apiKey != "" {
		request.Header.Set("Authorization", "Bearer "+apiKey)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch status := response.StatusCode; {
	case err != nil:
		return err
	case status == http.StatusNoContent:
		return nil
	case status < 300:
		return json.Unmarshal(text, answer)
	case status == http.StatusNotImplemented ||
		status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
		return refused{response.Status + " " + string(text)}
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	time.Sleep(time.Duration(seconds) * time.Second)
	return errors.New(response.Status)
}

// Sends the same request until it is answered, or the context ends.
func post(ctx context.Context, timeout time.Duration, path string, body, answer any) error {
	for {
		err := send(ctx, timeout, "POST", path, body, answer)
		if err == nil || errors.As(err, &refused{}) || ctx.Err() != nil {
			return err
		}
		log.Printf("%s: %v; once more", path, err)
		time.Sleep(time.Second)
	}
}

type outcome struct {
	ID              string
	State           string
	CancelRequested bool
	Problem         *struct{ Code string }
}

type outcomes struct{ Outcomes []outcome }

// What runs here.
type holding struct {
	mutex    sync.Mutex
	attempts map[*attempt]bool
	free     chan struct{} // one for each free slot
	terms    object        // of the latest request for tasks
	quiet    atomic.Bool   // an operator wants it to take nothing
}

func (h *holding) list() []*attempt {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	all := make([]*attempt, 0, len(h.attempts))
	for each := range h.attempts {
		all = append(all, each)
	}
	return all
}

func (h *holding) start(a *attempt) {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	h.mutex.Lock()
	h.attempts[a] = true
	h.mutex.Unlock()
	go h.run(ctx, a)
}

func (h *holding) run(ctx context.Context, a *attempt) {
	defer a.cancel()
	log.Println(a.ID, "running")
	timeout := 24 * time.Hour
	if a.TimeoutMs > 0 {
		timeout = time.Duration(a.TimeoutMs) * time.Millisecond
	}
	timer := time.AfterFunc(timeout, func() { a.stop("timeout") })
	result, err := execute(ctx, a)
	timer.Stop()
	end := object{"action": "complete", "result": result}
	if err != nil {
		end = failure(err, a.stoppedBy())
	}
	if a.stoppedBy() == "lease-lost" {
		log.Println(a.ID, "lease-lost")
	} else {
		// A result that is no JSON, or too long, must not leave the task running.
		if err := settle(a, end); err != nil {
			_ = settle(a, failure(permanent{"bad-result", err.Error()}, ""))
		}
	}
	h.mutex.Lock()
	delete(h.attempts, a)
	h.mutex.Unlock()
	h.free <- struct{}{}
}

// A handler that panics fails its task, not the worker.
func execute(ctx context.Context, a *attempt) (result any, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	if handle := handlers[a.Type]; handle != nil {
		return handle(ctx, a)
	}
	return nil, permanent{"no-handler", "nobody here executes " + a.Type}
}

func failure(err error, reason string) object {
	var never permanent
	isPermanent := errors.As(err, &never)
	code := reason
	if isPermanent {
		code = never.code
	} else if code == "" {
		code = "error"
	}
	return object{"action": "fail", "error": object{"code": code, "message": err.Error()}, "retryable": !isPermanent}
}

func settle(a *attempt, end object) error {
	var answer outcomes
	body := object{"settlements": []object{a.message(end)}}
	err := post(context.Background(), 10*time.Second, "/v1/leases/settle", body, &answer)
	for _, each := range answer.Outcomes {
		if each.Problem != nil {
			each.State = each.Problem.Code
		}
		log.Println(each.ID, each.State)
	}
	return err
}

// One heartbeat for all that runs.
func (h *holding) keep() error {
	attempts := h.list()
	if len(attempts) == 0 {
		return nil
	}
	leases := make([]object, len(attempts))
	for index, each := range attempts {
		each.mutex.Lock()
		progress := each.progress
		each.mutex.Unlock()
		leases[index] = each.message(object{"progress": progress})
	}
	var answer outcomes
	err := send(context.Background(), 10*time.Second, "POST", "/v1/leases/heartbeat", object{"leases": leases}, &answer)
	for index, each := range answer.Outcomes {
		if each.Problem != nil && (each.Problem.Code == "lease-lost" || each.Problem.Code == "task-not-found") {
			attempts[index].stop("lease-lost")
		} else if each.CancelRequested {
			attempts[index].stop("cancelled")
		}
	}
	return err
}

// Says that the worker is there, and hears what an operator wants of it.
func (h *holding) appear(stop func()) error {
	types := []string{}
	for name := range handlers {
		types = append(types, name)
	}
	myself := object{"queues": []string{queue}, "types": types, "host": hostname(), "pid": os.Getpid(),
		"version": "1.0.0", "labels": object{"language": "go"}, "ttl": "30s"}
	var answer struct{ Command string }
	err := send(context.Background(), 10*time.Second, "PUT", "/v1/workers/"+workerID, myself, &answer)
	if err != nil {
		return err
	}
	h.quiet.Store(answer.Command != "")
	if answer.Command != "" {
		log.Println("told:", answer.Command)
	}
	if answer.Command == "terminate" {
		stop()
	}
	return nil
}

// Until it leaves. What got lost is not repeated: the next beat says it all.
func (h *holding) beat(leaving context.Context, stop func()) {
	for leaving.Err() == nil {
		for _, err := range []error{h.keep(), h.appear(stop)} {
			if err != nil {
				log.Println("beat:", err)
			}
		}
		select {
		case <-leaving.Done():
		case <-time.After(beatEvery):
		}
	}
}

// Takes tasks for all free slots as soon as there are some, until the context ends.
func (h *holding) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.free:
		}
		for h.quiet.Load() && ctx.Err() == nil {
			time.Sleep(200 * time.Millisecond)
		}
		free := 1 + len(h.free)
		for taken := 1; taken < free; taken++ {
			<-h.free
		}
		var lease struct{ Items []*attempt }
		h.terms = object{"workerId": workerID, "max": free, "wait": "20s", "requestId": random(16)}
		if err := post(ctx, 30*time.Second, "/v1/queues/"+queue+"/lease", h.terms, &lease); err != nil {
			return err
		}
		for _, each := range lease.Items {
			h.start(each)
		}
		for ; free > len(lease.Items); free-- {
			h.free <- struct{}{}
		}
	}
}

// What was on its way to us when the request was cut off: the same one, for no task, tells what it has taken.
func (h *holding) giveBack() error {
	if h.terms == nil {
		return nil
	}
	var lease struct{ Items []*attempt }
	h.terms["max"] = 0
	err := send(context.Background(), 10*time.Second, "POST", "/v1/queues/"+queue+"/lease", h.terms, &lease)
	if err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, each := range h.list() {
		ours[each.LeaseToken] = true
	}
	strange := []*attempt{}
	for _, each := range lease.Items {
		if !ours[each.LeaseToken] {
			strange = append(strange, each)
		}
	}
	return release(strange)
}

func release(attempts []*attempt) error {
	if len(attempts) == 0 {
		return nil
	}
	settlements := []object{}
	for _, each := range attempts {
		settlements = append(settlements, each.message(object{"action": "release"}))
	}
	body := object{"settlements": settlements}
	return send(context.Background(), 10*time.Second, "POST", "/v1/leases/settle", body, &outcomes{})
}

func main() {
	log.SetOutput(os.Stdout)
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		stop()
	}()
	h := &holding{attempts: map[*attempt]bool{}, free: make(chan struct{}, slots)}
	for slot := 0; slot < slots; slot++ {
		h.free <- struct{}{}
	}
	leaving, leave := context.WithCancel(context.Background())
	beating := make(chan struct{})
	go func() {
		h.beat(leaving, stop)
		close(beating)
	}()
	if err := h.work(ctx); ctx.Err() == nil {
		log.Fatal(err)
	}
	// One try each: there is no time for more, and a lease that is not released runs out.
	if err := h.giveBack(); err != nil {
		log.Println(err)
	}
	for deadline := time.Now().Add(grace); len(h.list()) > 0 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	if err := release(h.list()); err != nil {
		log.Println(err)
	}
	leave()
	<-beating
	err := send(context.Background(), 10*time.Second, "DELETE", "/v1/workers/"+workerID, object{}, nil)
	if err != nil {
		log.Println(err)
	}
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func number(name, otherwise string) int {
	value, err := strconv.Atoi(setting(name, otherwise))
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return value
}

func seconds(name, otherwise string) time.Duration {
	value, err := strconv.ParseFloat(setting(name, otherwise), 64)
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return time.Duration(value * float64(time.Second))
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

func random(bytes int) string {
	text := make([]byte, bytes)
	if _, err := rand.Read(text); err != nil {
		panic(err)
	}
	return hex.EncodeToString(text)
}
