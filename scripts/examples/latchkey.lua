-- The check of haproxy.cfg. HAProxy has no built-in counterpart of nginx's auth_request.
-- Asks Latchkey whether the request's token is valid. If it is, sets the headers X-Auth-User and Remote-User. If it is
-- not, sets the variable txn.challenge. After any failure, including an error in this script, neither is set.
core.register_action("latchkey_verify", { "http-req" }, function(txn, url)
    local response = core.httpclient():get {
        url = url,
        -- The check contains the token, and no other header, no query and no body.
        headers = { authorization = txn.http:req_get_headers()["authorization"] },
        timeout = 5000
    }
    if response.status == 200 then
        txn.http:req_set_header("Remote-User", response.headers["remote-user"][0])
        txn.http:req_set_header("X-Auth-User", response.headers["x-auth-user"][0])
    elseif response.status == 401 then
        txn:set_var("txn.challenge", response.headers["www-authenticate"][0])
    end
end, 1)
