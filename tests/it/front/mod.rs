//! What stands between the server and those who use it: proxies, load balancers, and what they make of a
//! connection.

mod silence;
