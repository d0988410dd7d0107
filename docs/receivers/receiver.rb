# Receives Vacancy's webhooks: PORT=3000 APP_SECRET=… ruby receiver.rb
# With WEBHOOK_SECRET=whsec_… (one of the endpoint's `secrets`) it asks for that signature too.
require "json"
require "openssl"
require "socket"

PORT = Integer(ENV.fetch("PORT", "3000"))
APP_SECRET = ENV.fetch("APP_SECRET", "app-secret")
WEBHOOK_SECRET = ENV.fetch("WEBHOOK_SECRET", "")
TOLERANCE_S = 300
IDS_KEPT = 1000

# A real back end keeps both with its data, and writes them in one transaction with what it does.
IDS = []
SEQS = {}

def genuine?(headers, body)
  pusher = OpenSSL::HMAC.hexdigest("SHA256", APP_SECRET, body)
  return false unless OpenSSL.secure_compare(headers["x-pusher-signature"].to_s, pusher)
  return true if WEBHOOK_SECRET.empty?

  id, stamp = headers.values_at("webhook-id", "webhook-timestamp").map(&:to_s)
  return false unless stamp.match?(/\A\d+\z/) && (Time.now.to_i - stamp.to_i).abs <= TOLERANCE_S

  secret = WEBHOOK_SECRET.delete_prefix("whsec_").unpack1("m")
  standard = "v1," + [OpenSSL::HMAC.digest("SHA256", secret, "#{id}.#{stamp}.".b + body)].pack("m0")
  headers["webhook-signature"].to_s.split(" ").any? { |given| OpenSSL.secure_compare(given, standard) }
end

def handle(event)
  if event.key?("seq")
    # A channel, a user in a channel, or a user: what is not newer than what we know is ignored.
    key = event.values_at("channel", "user_id")
    return if event["seq"] <= SEQS.fetch(key, -1)

    SEQS[key] = event["seq"]
  end
  puts ["verified", *event.values_at("name", "channel", "user_id").compact].join(" ")
end

def answer(socket)
  return unless socket.gets # the request line

  headers = {}
  while (line = socket.gets&.chomp) && !line.empty?
    name, value = line.split(":", 2)
    headers[name.downcase] = value.to_s.strip
  end
  body = socket.read(headers["content-length"].to_i) || "".b
  genuine = genuine?(headers, body)
  id = headers["webhook-id"]
  if genuine && !IDS.include?(id)
    JSON.parse(body.force_encoding("UTF-8"))["events"].each { |event| handle(event) }
    IDS.push(id)
    IDS.shift if IDS.size > IDS_KEPT
  end
  socket.write("HTTP/1.1 #{genuine ? "200 OK" : "401 Unauthorized"}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
rescue StandardError => error
  warn error.message # not answered 2xx, so it comes again
ensure
  socket.close
end

# The standard library has sockets and no HTTP server; with Rack, `answer` is all that changes.
$stdout.sync = true
server = TCPServer.new("127.0.0.1", PORT)
loop { answer(server.accept) }
