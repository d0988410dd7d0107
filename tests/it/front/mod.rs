//! What stands between the server and its clients: proxies, load balancers, and what they do to a connection.

mod answers;
mod garbage;
mod half_closed;
mod leaving;
mod prefix;
mod proxies;
mod silence;
