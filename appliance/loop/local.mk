# appliance/loop
