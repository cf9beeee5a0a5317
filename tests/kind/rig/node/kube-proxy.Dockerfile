# kube-proxy with the few programs that it calls.
ARG ROOT
FROM ${ROOT} AS debian
RUN set -e; mkdir -p /r/usr/sbin; \
    for program in /bin/sh /usr/sbin/xtables-nft-multi /usr/sbin/conntrack /usr/sbin/nft \
        /usr/lib/*/xtables/*.so; do \
      cp -L --parents $program /r; \
      ldd $program | grep -o '/lib[^ ]*' | xargs -r -I LIBRARY cp -L --parents LIBRARY /r; \
    done; \
    for name in iptables ip6tables; do for end in "" -save -restore; do \
      ln -s xtables-nft-multi /r/usr/sbin/$name$end; done; done
FROM scratch
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=debian /r /
COPY kube-proxy /usr/local/bin/kube-proxy
