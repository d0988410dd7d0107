<?php
// Receives Vacancy's webhooks: APP_SECRET=… php -S 127.0.0.1:3000 receiver.php
// With WEBHOOK_SECRET=whsec_… (one of the endpoint's `secrets`) it asks for that signature too.

const TOLERANCE_S = 300;
const IDS_KEPT = 1000;

function is_genuine(string $body): bool
{
    $pusher = hash_hmac('sha256', $body, getenv('APP_SECRET') ?: 'app-secret');
    if (!hash_equals($pusher, $_SERVER['HTTP_X_PUSHER_SIGNATURE'] ?? '')) {
        return false;
    }
    $secret = getenv('WEBHOOK_SECRET') ?: '';
    if ($secret === '') {
        return true;
    }
    $stamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (!ctype_digit($stamp) || abs(time() - (int) $stamp) > TOLERANCE_S) {
        return false;
    }
    $secret = base64_decode(preg_replace('/^whsec_/', '', $secret));
    $signed = ($_SERVER['HTTP_WEBHOOK_ID'] ?? '') . ".$stamp.$body";
    $standard = 'v1,' . base64_encode(hash_hmac('sha256', $signed, $secret, true));
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $given) {
        if (hash_equals($standard, $given)) {
            return true;
        }
    }
    return false;
}

function handle(array $event, array &$seqs): void
{
    if (isset($event['seq'])) {
        // A channel, a user in a channel, or a user: what is not newer than what we know is ignored.
        $key = json_encode([$event['channel'] ?? null, $event['user_id'] ?? null]);
        if ($event['seq'] <= ($seqs[$key] ?? -1)) {
            return;
        }
        $seqs[$key] = $event['seq'];
    }
    $words = ['verified', $event['name'], $event['channel'] ?? null, $event['user_id'] ?? null];
    file_put_contents('php://stdout', implode(' ', array_filter($words, 'is_string')) . "\n");
}

$body = file_get_contents('php://input');
if (!is_genuine($body)) {
    http_response_code(401);
    exit;
}
// PHP forgets between requests, so what is known is in a locked file. A real back end keeps it in
// its database, and writes it in one transaction with what it does.
$file = fopen(getenv('STATE_FILE') ?: sys_get_temp_dir() . '/vacancy-receiver.json', 'c+');
flock($file, LOCK_EX);
$state = json_decode(stream_get_contents($file), true) ?? ['ids' => [], 'seqs' => []];
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
if (!in_array($id, $state['ids'], true)) {
    foreach (json_decode($body, true)['events'] as $event) {
        handle($event, $state['seqs']);
    }
    $state['ids'] = array_slice([...$state['ids'], $id], -IDS_KEPT);
    rewind($file);
    ftruncate($file, 0);
    fwrite($file, json_encode($state));
}
fclose($file);
