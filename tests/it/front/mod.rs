//! What stands between the server and those who use it: proxies, load balancers, and what they make of a
//! connection.

mod answers;
mod garbage;
mod half_closed;
mod leaving;
mod prefix;
mod proxies;
mod silence;
